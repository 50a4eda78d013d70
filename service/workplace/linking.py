"""The background work of campaigns, under the name that the application starts it by."""

from service.campaigns.work import keep_linking

__all__ = ["keep_linking"]
