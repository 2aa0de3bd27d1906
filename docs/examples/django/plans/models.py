from django.db import models


class Plan(models.Model):
    name = models.CharField(max_length=100)
    notes = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.name
