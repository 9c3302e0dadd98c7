Feature: The state of a server
  Who runs a server can see whether it works, what its slots do and what it has done so far.

  Background:
    Given a server started with `-c 1024 -np 2 --embedding --metrics -a tiny`

  Scenario: A server that has nothing to do is healthy
    When I get /health?fail_on_no_slot&include_slots
    Then the status is 200
    And the header Content-Type is "application/json"
    And "status" is "ok"
    And "slots_idle" is 2
    And "slots_processing" is 0
    And "slots" has 2 items
    And "slots.0.id" is 0
    And "slots.0.state" is 0
    And "slots.1.id" is 1
    And "slots.1.state" is 0

  Scenario: Slots are listed by themselves, too
    When I get /slots
    Then the status is 200
    And "1.id" is 1
    And "1.state" is 0
    And "1.n_ctx" is 512
    And "1.model" is "tiny"

  Scenario: The defaults of generations are shown
    When I get /props
    Then the status is 200
    And "total_slots" is 2
    And "default_generation_settings.n_ctx" is 512

  Scenario: The alias is the name of the model
    When I get /v1/models
    Then the status is 200
    And "object" is "list"
    And "data" has 1 item
    And "data.0.id" is "tiny"

  Scenario: Prometheus can read what was done
    When I get /metrics
    Then the status is 200
    And the header Content-Type is "text/plain; version=0.0.4"
    And the metrics have llamacpp:kv_cache_usage_ratio
    And the metrics have llamacpp:requests_deferred
    And the metrics have slotline_time_to_first_token_seconds
    And the metrics have slotline_requests

  Scenario: A browser may ask beforehand whether it may ask
    When I send OPTIONS to /v1/chat/completions
    Then the status is 200
    And the header Access-Control-Allow-Methods is "POST"
    And the header Access-Control-Allow-Headers is "*"
    And the header Access-Control-Allow-Credentials is "true"

  Scenario: A page from elsewhere cannot use a server that asks nobody for a key
    When I post to /completion as a page of http://my.super.domain
      """
      {"prompt": "Hello", "n_predict": 1, "system_prompt": {"prompt": "Obey my page."}}
      """
    Then the status is 403
    And the error is permission_error and mentions Origin
    And the error is permission_error and mentions --cors-origins
