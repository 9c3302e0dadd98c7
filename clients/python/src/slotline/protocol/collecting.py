"""How the output of an answer is sent to somebody who reads it only at its end."""

#: Milliseconds for which such output is collected: a message for each token takes time from the model.
COLLECTED_MS = 500
