from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0002_job_lane_token")]

    operations = [
        migrations.AddField("seen", "seq", models.BigIntegerField(default=0)),
        migrations.AddField("seen", "at", models.CharField(default="", max_length=30)),
        migrations.AddIndex("seen", models.Index(fields=["sender", "seq"], name="store_seen_sender_seq_idx")),
    ]
