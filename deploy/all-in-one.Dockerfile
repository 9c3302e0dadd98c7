# Core and adapter in one container that takes the options of the llama.cpp server:
#   docker build --file deploy/all-in-one.Dockerfile --tag slotline:dev .
#   docker run --init -p 8080:8080 -v /path/to/models:/models slotline:dev -m models/model.gguf --host 0.0.0.0 --port 8080

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
USER slotline
VOLUME /models
EXPOSE 8080 50051
HEALTHCHECK --interval=5s --timeout=6s --start-period=10m --retries=3 \
    CMD ["slotline", "healthcheck", "--http", "http://127.0.0.1:8080/health"]
# The working directory is /, so that models/model.gguf names a file of the volume.
ENTRYPOINT ["slotline", "serve"]
