"""The questions that interviewers ask most are in the bank, as open questions; a new name for one has to be told here.

The titles are ours. One question may stand for two that ask for the same.
"""

from __future__ import annotations

import pytest

from question_bank import Bank, load
from question_bank.kinds.open import OpenAnswer

SYSTEM_DESIGN = {
    "a shop for millions": "shop-for-millions",
    "the spike of a sale": "black-friday-by-numbers",
    "recommendations": "design-a-recommendation-system",
    "transactions over services": "transactions-over-services",
    "a rate limiter": "design-a-rate-limiter",
    "a URL shortener": "design-a-url-shortener",
    "notifications": "design-a-notification-system",
    "an order system": "design-an-order-system",
    "a chat": "design-a-chat",
    "metrics and monitoring": "design-a-monitoring-system",
    "a platform for many tenants": "design-a-multi-tenant-platform",
}
DEEP_DIVES = {
    "architecture, walked through": "walk-me-through-your-architecture",
    "communication between services": "communication-patterns",
    "consistency across services": "consistency-across-services",
    "monitoring and alerting": "your-monitoring-strategy",
    "deployments without downtime": "zero-downtime-deployments",
    "a deployment and its way back": "deploying-at-noon",
    "availability and recovery": "high-availability-and-disaster-recovery",
    "a spike that nobody planned": "an-unplanned-spike",
    "security measures": "security-measures-in-order",
    "remote state and workspaces": "state-of-a-team-of-teams",
}
PROBLEM_SOLVING = {
    "payment is down": "payment-service-is-down",
    "a database at its limit": "database-at-ninety-per-cent",
    "a request of five seconds": "a-request-takes-five-seconds",
    "rate limits at the gateway": "rate-limiting-for-your-gateway",
}
COST = {
    "a third off the bill": "a-third-off-the-bill",
    "costs as a habit": "costs-without-a-crisis",
    "auto-scaling on instances and tasks": "defend-your-auto-scaling",
    "auto-scaling on Kubernetes": "your-auto-scaling-strategy",
    "spot or reserved": "spot-reserved-or-on-demand",
    "an alarm on cost": "alarm-on-the-money",
}
DECISIONS = {
    "Go or Node": "why-go-and-not-node",
    "normal form or speed": "a-schema-you-would-defend",
    "caching and invalidation": "a-caching-strategy-defended",
    "events or calls": "why-events-and-not-calls",
    "saga or two-phase commit": "transactions-over-services",
    "preventing oversell": "never-sell-what-is-not-there",
    "Kubernetes or ECS": "kubernetes-or-ecs",
    "several zones, for availability": "multi-az-and-its-price",
    "several zones, for recovery": "defending-the-second-zone",
    "paying for observability": "what-observability-is-worth",
    "objectives for a service": "objectives-for-a-checkout",
    "friction or protection": "friction-against-protection",
    "features or the cloud bill": "costs-without-a-crisis",
    "why this and not that": "kubernetes-or-ecs",
    "what one would do differently": "what-you-would-do-differently",
    "ten and a hundred times the load": "ten-times-then-a-hundred",
    "what breaks first": "ten-times-then-a-hundred",
    "a vague brief": "a-brief-of-one-sentence",
}
BEHAVIOUR = {
    "pushing back": "pushing-back-once",
    "disagreeing with seniors": "disagreeing-with-the-expert",
    "a design that failed": "a-design-of-mine-that-failed",
    "debt or features": "debt-against-features",
    "explaining to others": "for-people-without-the-words",
    "saying no to a feature": "saying-no-to-a-feature",
}
ASKED = SYSTEM_DESIGN | DEEP_DIVES | PROBLEM_SOLVING | COST | DECISIONS | BEHAVIOUR


@pytest.fixture(scope="module")
def bank() -> Bank:
    return load()


def test_no_title_stands_in_two_lists():
    lists = (SYSTEM_DESIGN, DEEP_DIVES, PROBLEM_SOLVING, COST, DECISIONS, BEHAVIOUR)
    assert len(ASKED) == sum(map(len, lists))


@pytest.mark.parametrize(("title", "question_id"), ASKED.items(), ids=ASKED)
def test_what_interviewers_ask_is_an_open_question_with_rubric_and_model_answer(bank, title, question_id):
    question = bank.questions[question_id]
    assert isinstance(question.body, OpenAnswer)
    assert len(question.body.rubric) >= 4
    assert len(question.body.model_answer.split()) >= 90, title
