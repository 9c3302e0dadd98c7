Feature: Many requests at once
  Requests share the slots; those beyond wait for their turn, and nobody is forgotten.

  Background:
    Given a server started with `-c 128 -np 2 -n 32 --slots-endpoint-disable`

  Scenario: The limit of the server is above that of a request
    When I post to /completion
      """
      {"prompt": "Write a joke about rain.", "n_predict": 64, "ignore_eos": true}
      """
    Then "timings.predicted_n" is 32

  Scenario: A slot forgets its oldest tokens when it is full
    When I post to /completion
      """
      {"prompt": "one two three four five six seven eight nine ten one two three four five six seven eight nine ten one two three four five six seven eight nine ten one two three four five six seven eight nine ten one two three", "n_predict": 32, "ignore_eos": true}
      """
    Then the status is 200
    And "tokens_predicted" is 32
    And "truncated" is true

  Scenario: More clients than slots
    When 4 clients post to /completion at once
      """
      {"prompt": "The river ran past", "n_predict": 20, "ignore_eos": true}
      """
    Then the status is 200
    And "tokens_predicted" is 20
    And "content" holds text

  Scenario: Chats beside each other
    When 2 clients post to /v1/chat/completions at once
      """
      {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 24, "ignore_eos": true}
      """
    Then the status is 200
    And "usage.completion_tokens" is 24

  Scenario: Streams of chats beside each other
    When 2 clients post to /v1/chat/completions at once
      """
      {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 16, "ignore_eos": true, "stream": true}
      """
    Then the status is 200
    And the header Content-Type is "text/event-stream; charset=utf-8"
    And every chunk has exactly one choice
    And the last chunk's "choices.0.finish_reason" is "length"

  Scenario: Streams beside each other
    When 2 clients post to /completion at once
      """
      {"prompt": "The road went up to", "n_predict": 24, "ignore_eos": true, "stream": true}
      """
    Then the status is 200
    And the last chunk's "tokens_predicted" is 24
