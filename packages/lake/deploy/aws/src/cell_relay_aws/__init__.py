"""The relay of a cell on AWS, as a Lambda function: Streams and a timer around cell-lake."""
