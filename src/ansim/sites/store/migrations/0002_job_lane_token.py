from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0001_initial")]

    operations = [
        migrations.AddField("job", "token", models.CharField(default="", max_length=16)),
        migrations.AddField("job", "lane", models.CharField(default="", max_length=200)),
        migrations.AddIndex("job", models.Index(fields=["lane", "state"], name="store_job_lane_state_idx")),
    ]
