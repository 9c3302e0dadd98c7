Feature: Chat in the manner of OpenAI
  Clients that are written for OpenAI's API work without changes.

  Background:
    Given a server started with `-c 1024 -np 2 --embedding --metrics -a tiny`

  Scenario Outline: An answer at once
    When I post to <path> as a page of http://localhost:3000
      """
      {"model": "llama-2", "max_tokens": 8, "ignore_eos": true, "seed": 42, "messages": [
        {"role": "system", "content": "You know books."}, {"role": "user", "content": "Which book is the best?"}]}
      """
    Then the status is 200
    And the header Access-Control-Allow-Origin is "http://localhost:3000"
    And the header Content-Type is "application/json; charset=utf-8"
    And "object" is "chat.completion"
    And "model" is "llama-2"
    And "choices" has 1 item
    And "choices.0.message.role" is "assistant"
    And "choices.0.message.content" holds text
    And "usage.completion_tokens" is 8

    Examples:
      | path                 |
      | /v1/chat/completions |
      | /chat/completions    |

  Scenario: An answer token by token
    When I post to /v1/chat/completions
      """
      {"model": "any", "max_tokens": 8, "stream": true, "temperature": 0,
       "messages": [{"role": "user", "content": "Say: one two three four five six seven eight nine ten"}]}
      """
    Then the status is 200
    And the header Content-Type is "text/event-stream; charset=utf-8"
    And every chunk has exactly one choice
    And the stream has 1 chunk with "choices.0.delta.role"
    And the stream has 8 chunks with "choices.0.delta.content"
    And the last chunk's "choices.0.finish_reason" is "length"
    And the stream ends with OpenAI's mark
