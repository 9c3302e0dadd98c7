# The gRPC core, with the default model inside:
#   docker build --file deploy/core.Dockerfile --tag slotline-core:dev .

# The build stage is the same in all Dockerfiles here, so that it is built once.
FROM python:3.11.14-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends cmake g++ make \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/slotline
ENV PATH=/opt/slotline/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /src
# Dependencies first: they change rarely, and llama.cpp takes minutes to compile.
COPY requirements/build.txt requirements/lock.txt requirements/
RUN pip install --no-deps --no-build-isolation --require-hashes -r requirements/build.txt
# Not for the machine that builds but for any x86-64 with AVX2, or any ARM; "" makes it faster, on machines alike only.
ARG LLAMA_CMAKE_ARGS=-DGGML_NATIVE=OFF
RUN CMAKE_ARGS="$LLAMA_CMAKE_ARGS" CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" \
    pip install --no-deps --no-build-isolation --require-hashes -r requirements/lock.txt
COPY clients/python clients/python
COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY rest_adapter rest_adapter
COPY slotline slotline
RUN pip install --no-deps --no-build-isolation ./clients/python .

FROM python:3.11.14-slim-bookworm
# OpenMP, with which llama.cpp spreads its work.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin slotline \
    && mkdir /models
COPY --from=build /opt/slotline /opt/slotline
ENV PATH=/opt/slotline/bin:$PATH
# A path that does not change with the Python version.
RUN ln -s "$(python -c 'from slotline.cli.default_model import default_model_path as path; print(path())')" \
    /opt/slotline/default-model.gguf
USER slotline
VOLUME /models
EXPOSE 50051
HEALTHCHECK --interval=5s --timeout=6s --start-period=10m --retries=3 \
    CMD ["slotline", "healthcheck", "--grpc", "127.0.0.1:50051"]
ENTRYPOINT ["slotline", "core"]
CMD ["--listen", "0.0.0.0:50051"]
