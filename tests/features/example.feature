Feature: An example for bug reports

  Scenario: A stop text that is never reached
    Given a server started with `-c 512 -np 2`
    When I post to /completion
      """
      {"prompt": "1, 2, 3,", "n_predict": 6, "seed": 42, "ignore_eos": true, "stop": ["never"]}
      """
    Then the status is 200
    And "stopped_limit" is true
    And "tokens_predicted" is 6
