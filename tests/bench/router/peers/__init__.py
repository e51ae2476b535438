"""The peers of the edge router. Their configurations are written for this benchmark."""
