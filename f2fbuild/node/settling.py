"""What the rows of a node mean in a new epoch: indices and sizes in them are those of one log.

Orders are logged again in the new log when they are needed. Acceptances stay in the old one, which is never
signed again: what it still owes stays owed there, for everybody to see, and the tasks are forgotten here.
"""

from f2fbuild.store.database import Database


def settle(database: Database, origin: str) -> bool:
    """Bring the rows into the epoch of the log `origin`; return whether they were of another before."""
    row = database.row("SELECT origin FROM own_log")
    if row is not None and row["origin"] == origin:
        return False
    with database.transaction():
        if row is not None:
            database.execute("UPDATE job SET log_size = 0")
            database.execute("UPDATE note SET log_size = 0")
            database.execute("DELETE FROM task")
        database.execute("DELETE FROM own_log")
        database.execute("INSERT INTO own_log (origin) VALUES (?)", (origin,))
    return row is not None
