"""What an app wants in a file beside the network: metadata and labels."""
