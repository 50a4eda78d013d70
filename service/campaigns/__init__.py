"""Campaigns: texts that belong together by what they say or by who is to be contacted, and what people say of that."""
