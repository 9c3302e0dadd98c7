Feature: Completions
  A prompt goes in, its continuation comes out.

  Background:
    Given a server started with `-c 1024 -np 2 --embedding --metrics -a tiny`

  Scenario: As many tokens as were asked for
    When I post to /completion as a page of http://127.0.0.1:5173
      """
      {"prompt": "The old garden gate", "n_predict": 8, "ignore_eos": true, "seed": 42}
      """
    Then the status is 200
    And the header Access-Control-Allow-Origin is "http://127.0.0.1:5173"
    And the header Content-Type is "application/json; charset=utf-8"
    And "content" holds text
    And "timings.predicted_n" is 8
    And "tokens_predicted" is 8
    And "stopped_limit" is true
    And "truncated" is false

  Scenario: The same seed gives the same text
    When I post to /completion
      """
      {"prompt": "Once upon a time", "n_predict": 12, "seed": 7, "temperature": 1.0}
      """
    And I keep "content" as story
    And I post to /completion
      """
      {"prompt": "Once upon a time", "n_predict": 12, "seed": 7, "temperature": 1.0}
      """
    Then "content" equals story

  Scenario: Another seed gives another text
    When I post to /completion
      """
      {"prompt": "Once upon a time", "n_predict": 24, "seed": 7, "temperature": 1.5}
      """
    And I keep "content" as story
    And I post to /completion
      """
      {"prompt": "Once upon a time", "n_predict": 24, "seed": 8, "temperature": 1.5}
      """
    Then "content" differs from story

  Scenario: A stream has one chunk per token, and a last one with the totals
    When I post to /completion
      """
      {"prompt": "Count: one, two,", "n_predict": 6, "ignore_eos": true, "stream": true, "temperature": 0}
      """
    Then the status is 200
    And the header Content-Type is "text/event-stream; charset=utf-8"
    And the stream has 1 chunk with "timings"
    And the last chunk's "stop" is true
    And the last chunk's "tokens_predicted" is 6

  Scenario: Several prompts are answered in their order
    When I post to /completion
      """
      {"prompt": ["The sun", "The moon"], "n_predict": 3, "ignore_eos": true}
      """
    Then "results" has 2 items
    And "results.0.prompt" is "The sun"
    And "results.1.prompt" is "The moon"
    And "results.1.tokens_predicted" is 3

  Scenario: A prompt can be evaluated without an answer
    When I post to /completion
      """
      {"prompt": "Remember this for later", "n_predict": 0}
      """
    Then the status is 200
    And "tokens_predicted" is 0
    And "content" is ""

  Scenario: A stop text ends the answer and is left out
    When I post to /completion
      """
      {"prompt": "1, 2, 3, 4, 5,", "n_predict": 24, "temperature": 0, "stop": ["8"]}
      """
    Then "stopped_word" is true
    And "stopping_word" is "8"
    And "content" is " 6, 7, "

  Scenario: A prompt that was read before is not read again
    When I post to /completion
      """
      {"prompt": "A long introduction that every request of ours begins with.", "n_predict": 1, "cache_prompt": false}
      """
    And I keep "timings.prompt_n" as read
    And I keep "tokens_evaluated" as length
    And I post to /completion
      """
      {"prompt": "A long introduction that every request of ours begins with.", "n_predict": 1, "cache_prompt": true}
      """
    Then "timings.prompt_n" is less than read
    And "tokens_evaluated" equals length

  Scenario: The most probable tokens are told on request
    When I post to /completion
      """
      {"prompt": "Two and two is", "n_predict": 2, "ignore_eos": true, "n_probs": 3}
      """
    Then "completion_probabilities" has 2 items
    And "completion_probabilities.0.probs" has 3 items

  Scenario: A grammar decides what can be said
    When I post to /completion
      """
      {"prompt": "Is water wet?", "n_predict": 8, "grammar": "root ::= \"certainly\""}
      """
    Then "content" is "certainly"

  Scenario: A grammar with a choice
    When I post to /completion
      """
      {"prompt": "My number is ", "n_predict": 8, "grammar": "root ::= [0-9] [0-9]"}
      """
    Then "content" matches /^[0-9][0-9]$/
    And "stopped_eos" is true

  Scenario: A schema decides what can be said
    When I post to /completion
      """
      {"prompt": "My number is ", "n_predict": 32, "json_schema": {"type": "integer", "minimum": 10, "maximum": 12}}
      """
    Then the status is 200
    And "content" matches /^1[012]$/

  Scenario: A schema that cannot be enforced
    When I post to /completion
      """
      {"prompt": "My number is ", "json_schema": {"items": {"not": {}}}}
      """
    Then the status is 400
    And "error.message" is "json_schema: /items/not is not supported; leave it out"
