"""Run by Alembic: the steps, on the connection that `service.migrations` gave, in its transaction."""

from alembic import context

import service.campaigns.schema
import service.cases.schema
import service.observatory.stored
import service.privacy.schema
import service.workplace.audit_schema
import service.workplace.receptions
import service.workplace.schema
import service.workplace.seen
import service.workplace.similar_schema  # noqa: F401 - all these declare their tables
from service.database import METADATA


def run() -> None:
    """Run the steps that were asked for."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=METADATA, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()


# The name under which Alembic loads this file.
if __name__ == "env_py":
    run()
