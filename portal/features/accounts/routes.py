"""Pages of accounts."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user

from portal.days import ZONE_MAX
from portal.errors import Conflict, Invalid, NotFound, PortalError
from portal.extensions import db, limiter, login_manager, portal, throttle_key
from portal.features.accounts.forms import (
    EmptyForm,
    PasswordForm,
    ProfileForm,
    SignInForm,
    SignUpForm,
    ZoneForm,
)
from portal.features.accounts.service import PASSWORD_MIN, AccountService
from portal.guards import public
from portal.kept import open_scope
from portal.kept_pages import kept_page
from portal.models import User, utcnow

blueprint = Blueprint("accounts", __name__, url_prefix="/account")


@login_manager.user_loader
def _load_user(session_id: str) -> User | None:
    user = AccountService(db()).by_session_id(session_id)
    if user is not None:
        open_scope(db(), portal().store, user, portal().content.serial)
        today = utcnow().date().isoformat()
        if session.get("used_on") != today:
            session["used_on"] = today  # which sends the cookie again, with a new end
    return user


@blueprint.route("/sign-in", methods=["GET", "POST"])
@public
@limiter.limit("30 per minute", methods=["POST"])
@limiter.limit("5 per minute; 30 per hour", key_func=throttle_key, methods=["POST"])
def sign_in() -> Any:
    """Sign in; the answer to an unknown address and to a wrong password is the same."""
    if current_user.is_authenticated:
        return redirect(url_for("home.index"))
    form = SignInForm()
    if form.validate_on_submit():
        user = AccountService(db()).authenticate(email=form.email.data or "", password=form.password.data or "")
        if user is not None:
            return _signed_in(user)
        form.password.errors = ["E-mail address and password do not fit together."]
    return render_template("accounts/sign_in.html", form=form, allow_sign_up=portal().settings.allow_sign_up), (
        422 if request.method == "POST" else 200
    )


@blueprint.route("/sign-up", methods=["GET", "POST"])
@public
@limiter.limit("10 per minute; 60 per hour", methods=["POST"])
def sign_up() -> Any:
    """Make an account and sign in with it."""
    if not portal().settings.allow_sign_up:
        raise NotFound("New accounts are made by the people who run this portal. Ask them for one.")
    if current_user.is_authenticated:
        return redirect(url_for("home.index"))
    form = SignUpForm()
    if form.validate_on_submit():
        service = AccountService(db())
        try:
            user = service.create(
                email=form.email.data or "",
                display_name=form.display_name.data or "",
                password=form.password.data or "",
            )
        except Conflict as error:
            # The same form sent twice (a double click, a browser that repeats a request whose answer was lost).
            known = service.authenticate(email=form.email.data or "", password=form.password.data or "")
            if known is not None:
                return _signed_in(known)
            form.email.errors = [error.message]
        except PortalError as error:
            field = form.password if "password" in error.message.lower() else form.email
            field.errors = [error.message]
        else:
            db().flush()
            return _signed_in(user, "Your account is ready.")
    return render_template("accounts/sign_up.html", form=form, password_min=PASSWORD_MIN), (
        422 if request.method == "POST" else 200
    )


@blueprint.post("/sign-out")
def sign_out() -> Any:
    """Sign out of this browser."""
    logout_user()
    session.clear()
    flash("You are signed out.", "info")
    return redirect(url_for("home.index"))


@blueprint.route("/link/<token>", methods=["GET", "POST"])
@public
@limiter.limit("20 per minute")
def use_link(token: str) -> Any:
    """Sign in by a one-time link. Only the POST uses it up, so that a preview of the address does not."""
    form = EmptyForm()
    if form.validate_on_submit():
        user = AccountService(db()).use_sign_in_link(token[:128])
        if user is None:
            raise NotFound("This link was used already, or has expired. Start the portal again for a new one.")
        return _signed_in(user)
    return render_template("accounts/use_link.html", form=form)


@blueprint.route("/", methods=["GET", "POST"])
@kept_page()
def profile() -> Any:
    """Name, address, time zone and password of one's own account."""
    user: User = current_user._get_current_object()
    which = request.form.get("which", "")
    profile_form = ProfileForm(None if which == "password" else request.form, obj=user)
    password_form = PasswordForm(request.form if which == "password" else None)
    service = AccountService(db())
    status = 200
    if request.method == "POST":
        form = password_form if which == "password" else profile_form
        try:
            if form.validate():
                if which == "password":
                    service.change_password(
                        user, current=password_form.current.data or "", new=password_form.new.data or ""
                    )
                    login_user(user)
                    flash("Your password is changed. Other browsers are signed out.", "success")
                else:
                    service.change_profile(
                        user,
                        display_name=profile_form.display_name.data or "",
                        email=profile_form.email.data or "",
                    )
                    flash("Your profile is saved.", "success")
                return redirect(url_for("accounts.profile"))
            status = 422
        except PortalError as error:
            status = error.status
            (
                password_form.current
                if isinstance(error, Invalid) and which == "password"
                else profile_form.email
            ).errors = [error.message]
    return (
        render_template(
            "accounts/profile.html",
            profile_form=profile_form,
            password_form=password_form,
            zone_form=ZoneForm(None).offer(user.time_zone),
            has_password=user.password_hash is not None,
            password_min=PASSWORD_MIN,
        ),
        status,
    )


@blueprint.post("/time-zone")
@limiter.limit("30 per minute")
def time_zone() -> Any:
    """Choose a time zone. One that a browser tells of itself is taken only while none is known."""
    user: User = current_user._get_current_object()
    by_browser = request.form.get("by") == "browser"
    if by_browser and user.time_zone:
        return "", 204
    AccountService(db()).change_zone(user, request.form.get("time_zone", "")[:ZONE_MAX])
    if by_browser:
        return "", 204
    flash(f"Your days are now those of {user.time_zone}.", "success")
    return redirect(url_for("accounts.profile", _anchor="zone-title"))


def _signed_in(user: User, message: str = "") -> Any:
    db().flush()
    session.clear()
    login_user(user)
    session.permanent = True
    if message:
        flash(message, "success")
    return redirect(_safe_next() or url_for("home.index"))


def _safe_next() -> str | None:
    """The page that was asked for before signing in, when it is one of ours."""
    target = request.args.get("next", "")
    parts = urlsplit(target)
    is_ours = (
        target.startswith("/")
        and not target.startswith(("//", "/\\"))
        and not parts.netloc
        and not parts.scheme
    )
    return target if is_ours and len(target) < 500 else None
