"""Every module that has tables; Alembic compares what they say with what is there."""

import bot.digests
import bot.drifts
import bot.goals
import bot.ledger
import bot.mail_stops
import bot.model_owners
import bot.posts
import bot.priorities
import bot.regressions
import bot.subscriptions
import bot.tables
import bot.themes
import bot.tickets
import bot.webhooks
import bot.wiki_pages
import core.audit
import core.engine
import core.keys
import feedback.poll_tables
import feedback.tables
import optimize.tables
import releases.tables
import releases.training
