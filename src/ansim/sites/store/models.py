"""What every site keeps: its ledger of events, records projected from them, jobs, documents, and what it has seen.

The tables are the same on SQLite and PostgreSQL. The ledger tables keep the names that `ansim-verify` reads.
"""

from django.db import models


class Event(models.Model):
    """One entry of the ledger: an event of one stream. `leaf` stays when `data` and `salt` are erased."""

    seq = models.BigIntegerField(primary_key=True)
    stream = models.CharField(max_length=200)
    version = models.IntegerField()
    type = models.CharField(max_length=100)
    at = models.CharField(max_length=30)
    actor = models.CharField(max_length=200)
    data = models.TextField(null=True)
    salt = models.CharField(max_length=64, null=True)
    leaf = models.CharField(max_length=64)

    class Meta:
        db_table = "ledger_event"
        ordering = ("seq",)
        constraints = (models.UniqueConstraint(fields=["stream", "version"], name="one_version_a_stream"),)


class LedgerHead(models.Model):
    """The tree's size and frontier: one row, locked by whoever appends."""

    id = models.IntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)
    frontier = models.JSONField(default=list)


class Checkpoint(models.Model):
    size = models.BigIntegerField(primary_key=True)
    root = models.CharField(max_length=64)
    note = models.TextField()

    class Meta:
        db_table = "ledger_checkpoint"


class Cosignature(models.Model):
    size = models.BigIntegerField()
    witness = models.CharField(max_length=100)
    line = models.TextField()

    class Meta:
        db_table = "ledger_cosignature"
        constraints = (models.UniqueConstraint(fields=["size", "witness"], name="one_cosignature_a_witness"),)


class Witnessed(models.Model):
    """A head of another site's ledger that this site has checked and cosigned."""

    origin = models.CharField(max_length=100)
    size = models.BigIntegerField()
    root = models.CharField(max_length=64)
    note = models.TextField()

    class Meta:
        db_table = "ledger_witnessed"
        constraints = (models.UniqueConstraint(fields=["origin", "size"], name="one_head_a_size"),)


class Record(models.Model):
    """The present state of one thing (an application, a workspace), projected from its events for lists and pages."""

    kind = models.CharField(max_length=50)
    key = models.CharField(max_length=200)
    status = models.CharField(max_length=50, default="")
    data = models.JSONField(default=dict)
    version = models.IntegerField(default=0)
    updated = models.CharField(max_length=30)

    class Meta:
        ordering = ("kind", "-updated", "key")
        constraints = (models.UniqueConstraint(fields=["kind", "key"], name="one_record_a_key"),)
        indexes = (models.Index(fields=["kind", "status"]),)


class Document(models.Model):
    """A document by its name (SHA-256 of its bytes): agreements, letters, queries, outputs."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=50)
    content_type = models.CharField(max_length=100, default="application/json")
    body = models.BinaryField()
    at = models.CharField(max_length=30)


class Job(models.Model):
    """Work to do once: incoming messages, outgoing messages (so this is the outbox too), and long local work."""

    kind = models.CharField(max_length=100)
    key = models.CharField(max_length=200, unique=True)
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=10, default="queued")  # queued | leased | done | dead
    attempts = models.IntegerField(default=0)
    due = models.FloatField(default=0)  # real seconds, not the demo clock: retries follow the machine
    lease = models.FloatField(default=0)
    token = models.CharField(max_length=16, default="")  # of the lease: who has lost it changes nothing any more
    lane = models.CharField(max_length=200, default="")  # jobs of one lane run one after another
    error = models.TextField(default="")
    progress = models.CharField(max_length=200, default="")

    class Meta:
        indexes = (
            models.Index(fields=["state", "due"]),
            models.Index(fields=["lane", "state"], name="store_job_lane_state_idx"),
        )


class Seen(models.Model):
    """An envelope already received: (sender, jti) is accepted once. `seq` is the sender's own number for it."""

    sender = models.CharField(max_length=100)
    jti = models.CharField(max_length=64)
    expires = models.CharField(max_length=30)
    seq = models.BigIntegerField(default=0)  # 0: taken in before numbers were kept
    at = models.CharField(max_length=30, default="")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["sender", "jti"], name="one_receipt_an_envelope"),)
        indexes = (models.Index(fields=["sender", "seq"], name="store_seen_sender_seq_idx"),)


class Counter(models.Model):
    """The last number used in a sequence, such as the envelopes to one receiver."""

    name = models.CharField(max_length=200, primary_key=True)
    value = models.BigIntegerField(default=0)


class Notice(models.Model):
    """The newest accepted notice of one kind and issuer: site directory, member list, designations."""

    name = models.CharField(max_length=150, primary_key=True)
    seq = models.BigIntegerField()
    body = models.JSONField()


class Mail(models.Model):
    """An envelope waiting at the hub for its receiver."""

    receiver = models.CharField(max_length=100)
    sender = models.CharField(max_length=100)
    jti = models.CharField(max_length=64)
    body = models.TextField()
    at = models.CharField(max_length=30)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["receiver", "sender", "jti"], name="one_mail_an_envelope"),)
