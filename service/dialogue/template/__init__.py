"""What a chat template says about the answers of its model: found out by rendering conversations made for that."""
