Feature: Tools, and answers of a given form
  The model that is served here has never heard of tools.

  Background:
    Given a server started with `-c 1024 -np 2 --embedding --metrics -a tiny`

  Scenario: A tool is called
    When I post to /v1/chat/completions
      """
      {"messages": [{"role": "user", "content": "What is the weather in Kyiv?"}], "seed": 1, "max_tokens": 128,
       "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {
         "type": "object", "properties": {"city": {"enum": ["Kyiv"]}}, "required": ["city"]}}}],
       "tool_choice": {"type": "function", "function": {"name": "get_weather"}}}
      """
    Then the status is 200
    And "choices.0.finish_reason" is "tool_calls"
    And "choices.0.message.content" is null
    And "choices.0.message.tool_calls" has 1 item
    And "choices.0.message.tool_calls.0.id" matches /call_[0-9A-Za-z]{24}/
    And "choices.0.message.tool_calls.0.function" is {"name": "get_weather", "arguments": "{\"city\": \"Kyiv\"}"}

  Scenario: What the tool gave goes back
    When I post to /v1/chat/completions
      """
      {"messages": [
         {"role": "user", "content": "What is the weather in Kyiv?"},
         {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function",
           "function": {"name": "get_weather", "arguments": "{\"city\": \"Kyiv\"}"}}]},
         {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}],
       "tools": [{"type": "function", "function": {"name": "get_weather"}}], "tool_choice": "none",
       "seed": 1, "max_tokens": 8}
      """
    Then the status is 200
    And "choices.0.message.content" holds text

  Scenario: A call token by token
    When I post to /v1/chat/completions
      """
      {"messages": [{"role": "user", "content": "What time is it?"}], "seed": 1, "max_tokens": 128, "stream": true,
       "tools": [{"type": "function", "function": {"name": "get_time"}}],
       "tool_choice": {"type": "function", "function": {"name": "get_time"}}}
      """
    Then the status is 200
    And every chunk has exactly one choice
    And the stream has 1 chunk with "choices.0.delta.role"
    And the stream has 1 chunk with "choices.0.delta.tool_calls.0.function.name"
    And the last chunk's "choices.0.finish_reason" is "tool_calls"
    And the stream ends with OpenAI's mark

  Scenario: A tool that there is not
    When I post to /v1/chat/completions
      """
      {"messages": [{"role": "user", "content": "What time is it?"}],
       "tools": [{"type": "function", "function": {"name": "get_time"}}],
       "tool_choice": {"type": "function", "function": {"name": "get_weather"}}}
      """
    Then the status is 400
    And the error is invalid_request_error and mentions tool_choice.function.name
    And the error is invalid_request_error and mentions get_time

  Scenario: An answer by a schema
    When I post to /v1/chat/completions
      """
      {"messages": [{"role": "user", "content": "Is water wet?"}], "seed": 1, "max_tokens": 64,
       "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"enum": ["yes", "no"]}}}}
      """
    Then the status is 200
    And "choices.0.finish_reason" is "stop"
    And "choices.0.message.content" matches /"(yes|no)"/
