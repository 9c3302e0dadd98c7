Feature: Fields of llama.cpp's server of today, and the shape of its answers

  Background:
    Given a server started with `-c 1024 -np 2`

  Scenario: A stream tells how far its prompt is, and the times with every piece
    When I post to /completion
      """
      {"prompt": "Once upon a time", "n_predict": 3, "stream": true, "cache_prompt": false, "ignore_eos": true,
       "return_progress": true, "timings_per_token": true}
      """
    Then the status is 200
    And the stream has 2 chunks with "prompt_progress"
    And the stream has 4 chunks with "timings"

  Scenario: Only the fields that are asked for
    When I post to /completion
      """
      {"prompt": "1, 2, 3,", "n_predict": 4, "ignore_eos": true, "return_tokens": true,
       "response_fields": ["tokens", "timings/predicted_n", "no_such_field"]}
      """
    Then the status is 200
    And "tokens" has 4 items
    And "timings/predicted_n" is 4

  Scenario: Code ends where it is indented too little
    When I post to /completion
      """
      {"prompt": "Say:", "n_predict": 12, "grammar": "root ::= \"a\\n  b\\nc\\n\"", "n_indent": 2}
      """
    Then the status is 200
    And "content" is "a\n  b\n"
    And "stopped_limit" is true

  Scenario: Several answers in the shape of today
    When I post to /completion?shape=now
      """
      {"prompt": ["One", "Two"], "n_cmpl": 2, "n_predict": 2, "ignore_eos": true}
      """
    Then the status is 200
    And "3.index" is 3
    And "3.prompt" is "Two"
    And "0.stop_type" is "limit"
    And "0.tokens_predicted" is 2

  Scenario: A beginning of the answer is continued in the shape of today
    When I post to /v1/chat/completions?shape=now
      """
      {"messages": [{"role": "user", "content": "Count."}, {"role": "assistant", "content": "1, 2, 3"}], "max_tokens": 3}
      """
    Then the status is 200
    And "system_fingerprint" matches /^b/
    And "timings.predicted_n" is 3
