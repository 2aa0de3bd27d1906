"""Run by ``python manage.py test``."""

import pytest
from django.contrib.auth.models import User
from django.test import TransactionTestCase

from auditkit.testing import recording
from plans.models import Plan


class TrailTest(TransactionTestCase):
    def setUp(self) -> None:
        self.ada = User.objects.create_user("ada")
        self.plan = Plan.objects.create(name="Basic")
        self.client.force_login(self.ada)
        self.async_client.force_login(self.ada)

    def test_renaming_is_recorded(self) -> None:
        with recording() as events:
            self.client.get(f"/plans/{self.plan.pk}/rename?name=Pro", HTTP_USER_AGENT="curl/8.5.0")

        event = events.assert_recorded(
            "plan.update",
            actor_id=str(self.ada.pk),
            actor_name="ada",
            group="testserver",
            location="127.0.0.1",
            target_id=str(self.plan.pk),
            changed={"name": ("Basic", "Pro")},
            metadata={"user_agent": "curl/8.5.0"},
            times=1,
        )
        assert list(event.changes) == ["name"]

    def test_what_is_rolled_back_is_not_recorded_as_done(self) -> None:
        with recording() as events, pytest.raises(ValueError, match="needs a name"):
            self.client.get(f"/plans/{self.plan.pk}/fail?name=Pro")

        events.assert_recorded("plan.update", actor_name="ada", metadata={"outcome": "failure"}, times=1)
        assert len(events) == 1
        assert Plan.objects.get().name == "Basic"

    async def test_async_view_has_its_user(self) -> None:
        with recording() as events:
            response = await self.async_client.get(f"/plans/{self.plan.pk}/show")

        events.assert_recorded("plan.read", actor_name="ada", times=1)
        assert "Vary" not in response.headers  # nobody but the audit trail looked at who it is

    def test_async_view_of_a_wsgi_server_has_its_user(self) -> None:
        with recording() as events:
            response = self.client.get(f"/plans/{self.plan.pk}/show")

        events.assert_recorded("plan.read", actor_name="ada", times=1)
        assert "Vary" not in response.headers

    def test_stream_is_in_its_request(self) -> None:
        with recording() as events:
            response = self.client.get(f"/plans/{self.plan.pk}/export")
            assert b"".join(response.streaming_content)

        events.assert_recorded("plan.export", actor_name="ada", times=2)

    def test_nobody_is_anonymous(self) -> None:
        self.client.logout()
        with recording() as events:
            self.client.get(f"/plans/{self.plan.pk}/rename?name=Pro")

        events.assert_recorded("plan.update", actor_id="anonymous", times=1)
