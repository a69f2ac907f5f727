"""An endpoint in the form of OpenAI's chat completions, for a model with its adapter and pack."""
