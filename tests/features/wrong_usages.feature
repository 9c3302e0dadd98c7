Feature: Wrong usages
  A mistake gets an answer that says what is wrong, and the server goes on.

  Background:
    Given a server started with `-c 512`

  Scenario Outline: Requests that cannot be answered
    When I post to <path>
      """
      <body>
      """
    Then the status is <status>
    And the error is <type> and mentions <text>

    Examples:
      | path                 | body                                         | status | type                  | text            |
      | /completion          | {"prompt": "a                                | 400    | invalid_request_error | not JSON        |
      | /completion          | {"prompt": "a", "n_predict": "many"}         | 400    | invalid_request_error | n_predict       |
      | /completion          | {"prompt": "a", "temperature": "hot"}        | 400    | invalid_request_error | temperature     |
      | /completion          | {"prompt": "a", "stream": "true"}            | 400    | invalid_request_error | stream          |
      | /completion          | {"prompt": "a", "stop": ["b", 1]}            | 400    | invalid_request_error | stop            |
      | /completion          | {"prompt": "a", "grammar": "root ::= ("}     | 400    | invalid_request_error | grammar         |
      | /completion          | {"prompt": "a", "grammar": "branch ::= \"\""} | 400    | invalid_request_error | root            |
      | /v1/chat/completions | {"model": "any"}                             | 400    | invalid_request_error | messages        |
      | /detokenize          | {"tokens": [1000000000]}                     | 400    | invalid_request_error | tokens          |
      | /embedding           | {"content": "a"}                             | 501    | not_supported_error   | --embedding     |
      | /infill              | {"input_prefix": "a", "input_suffix": "b"}   | 501    | not_supported_error   | fill-in         |
      | /no/such/path        | {}                                           | 404    | not_found_error       | /no/such/path   |

  Scenario: Metrics must be switched on
    When I get /metrics
    Then the status is 404
    And the error is not_found_error and mentions --metrics

  Scenario: A completion is posted, not got
    When I get /completion
    Then the status is 405
    And the error is invalid_request_error and mentions POST

  Scenario: A client that wants text for ever and leaves
    Given a client that reads an endless stream from /completion
      """
      {"prompt": "Go to: infinite loop", "n_predict": -1, "ignore_eos": true, "stream": true}
      """
    When I get /health?fail_on_no_slot&include_slots
    Then the status is 503
    And "status" is "no slot available"
    And "slots_idle" is 0
    And "slots_processing" is 1
    And "slots.0.state" is 1
    When I post to /completion
      """
      {"prompt": "Hello", "system_prompt": {"prompt": "Be brief."}}
      """
    Then the status is 503
    And the error is unavailable_error and mentions when all slots are idle
    When the client leaves
    Then all 1 slots are idle in the end

  Scenario: Ten mistakes at once do not hurt
    When 10 clients post to /completion at once
      """
      {"prompt": {"not": "a prompt"}}
      """
    Then the status is 400
    And all 1 slots are idle in the end
    When I post to /completion
      """
      {"prompt": "Still there?", "n_predict": 2, "ignore_eos": true}
      """
    Then "tokens_predicted" is 2
