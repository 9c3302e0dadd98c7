Feature: Embeddings and tokens
  Texts become vectors, or the numbers that the model reads.

  Background:
    Given a server started with `-c 1024 -np 2 --embedding --metrics -a tiny`

  Scenario: The vector of a text
    When I post to /embedding
      """
      {"content": "What is the capital of Bulgaria?"}
      """
    Then the status is 200
    And "embedding" is a vector that is not zero

  Scenario: OpenAI's form, with one text
    When I post to /v1/embeddings
      """
      {"model": "some-model", "input": "What is the capital of Spain?"}
      """
    Then the status is 200
    And "object" is "list"
    And "model" is "some-model"
    And "data" has 1 item
    And "data.0.embedding" is a vector that is not zero

  Scenario: OpenAI's form, with as many vectors as texts
    When I post to /v1/embeddings
      """
      {"input": ["In which country is Paris?", "Is Madrid the capital of Spain?"]}
      """
    Then "data" has 2 items
    And "data.1.index" is 1
    And "data.0.embedding" is a vector that is not zero
    And "data.1.embedding" is a vector that is not zero

  Scenario: Several clients want vectors at once
    When 4 clients post to /embedding at once
      """
      {"content": "Everybody asks the same."}
      """
    Then the status is 200
    And "embedding" is a vector that is not zero

  Scenario Outline: Tokens of a text give the text again
    When I post to /tokenize
      """
      {"content": "<text>"}
      """
    And I keep "tokens" as tokens
    And I post to /detokenize
      """
      {"tokens": $tokens}
      """
    Then the status is 200
    And "content" is "<text>"

    Examples:
      | text                            |
      | What is the capital of France ? |
      | Grüße, 世界 🦙                   |
