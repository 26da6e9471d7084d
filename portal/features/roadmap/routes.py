"""Pages of the roadmap."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, url_for
from flask_login import current_user

from portal import markdown
from portal.errors import NotFound
from portal.extensions import db, portal
from portal.features.practice import QuizService, practisable, quizzable
from portal.features.roadmap.graph import layout
from portal.features.roadmap.progress import Progress
from portal.features.roadmap.service import ProgressService
from roadmap import Kind, Lesson, Module, Track

blueprint = Blueprint("roadmap", __name__)


@blueprint.get("/roadmap/")
def tracks() -> str:
    """All tracks with progress."""
    progress = _service().of(current_user.id)
    catalogue = portal().content.roadmap
    rows = []
    for track in catalogue.tracks.values():
        modules = [catalogue.modules[module_id] for module_id in track.modules]
        rows.append(
            {
                "track": track,
                "progress": progress.of_topics(t.id for module in modules for t in module.topics),
                "hours": sum(module.hours for module in modules),
                "modules": modules,
            }
        )
    return render_template("roadmap/tracks.html", rows=rows)


@blueprint.get("/roadmap/tracks/<track_id>")
def track(track_id: str) -> str:
    """One track: the graph of its modules and how far the learner is in each."""
    catalogue = portal().content.roadmap
    found: Track = _find(Kind.TRACK, track_id)
    progress = _service().of(current_user.id)
    modules = [catalogue.modules[module_id] for module_id in found.modules]
    states = {module.id: progress.of_module(module) for module in modules}
    drawing = layout(found.modules, {module.id: module.prerequisites for module in modules})
    nodes = [
        {
            "id": box.id,
            "title": catalogue.modules[box.id].title,
            "x": box.x,
            "y": box.y,
            "w": box.w,
            "h": box.h,
            "percent": states[box.id].percent,
            "state": states[box.id].state,
            "url": url_for("roadmap.module", module_id=box.id),
        }
        for box in drawing.boxes
    ]
    edges = [{"path": arrow.path, "source": arrow.source, "target": arrow.target} for arrow in drawing.arrows]
    return render_template(
        "roadmap/track.html",
        track=found,
        modules=[{"module": module, "progress": states[module.id]} for module in modules],
        progress=progress.of_topics(t.id for module in modules for t in module.topics),
        hours=sum(module.hours for module in modules),
        graph={"width": drawing.width, "height": drawing.height, "nodes": nodes, "edges": edges},
        titles={module.id: module.title for module in catalogue.modules.values()},
    )


@blueprint.get("/roadmap/modules/<module_id>")
def module(module_id: str) -> str:
    """One module: topics with their evidence, lessons, labs, quiz, artifact."""
    content = portal().content
    found: Module = _find(Kind.MODULE, module_id)
    progress = _service().of(current_user.id)
    questions = [q for q in content.bank.questions.values() if q.module == found.id]
    return render_template(
        "roadmap/module.html",
        module=found,
        progress=progress.of_module(found),
        topics=[
            {
                "topic": topic,
                "progress": progress.topics[topic.id],
                "proofs": _proofs(topic.id),
                "makes": next(iter(content.activities_by_topic.get(topic.id, ())), None),
            }
            for topic in found.topics
        ],
        lessons=[
            {"lesson": content.roadmap.lessons[lesson_id], "read": lesson_id in progress.lessons_read}
            for lesson_id in found.lessons
        ],
        labs=[lab for lab in (content.lab(lab_id) for lab_id in found.labs) if lab is not None],
        activities=[
            {"activity": activity, "standing": progress.activities.get(activity.id)}
            for activity in found.activities
        ],
        prerequisites=[content.roadmap.modules[module_id] for module_id in found.prerequisites],
        track=_track_of(found.id),
        question_count=sum(practisable(q) for q in questions),
        quiz_count=sum(quizzable(q) for q in questions),
        quiz=QuizService(db(), content.bank).scores(current_user.id).get(found.id),
    )


@blueprint.get("/lessons/<lesson_id>")
def lesson(lesson_id: str) -> str:
    """One lesson."""
    content = portal().content
    found: Lesson = _find(Kind.LESSON, lesson_id)
    rendered = markdown.render(found.body)
    g.allow_inline_styles = 'class="mermaid"' in rendered.html
    home = next((m for m in content.roadmap.modules.values() if found.id in m.lessons), None)
    around = list(home.lessons) if home else [found.id]
    position = around.index(found.id)
    progress: Progress = _service().of(current_user.id)
    return render_template(
        "roadmap/lesson.html",
        lesson=found,
        lesson_html=rendered.html,
        toc=[{"id": h.id, "title": h.title, "level": h.level} for h in rendered.headings],
        has_diagrams=g.allow_inline_styles,
        read_at=_service().read_at(current_user.id, found),
        module=home,
        track=_track_of(home.id) if home else None,
        previous=content.roadmap.lessons[around[position - 1]] if position else None,
        next=content.roadmap.lessons[around[position + 1]] if position + 1 < len(around) else None,
        topics=[
            {"topic": content.roadmap.topics[topic_id], "progress": progress.topics[topic_id]}
            for topic_id in found.topics
        ],
        labs=[lab for lab in (content.lab(lab_id) for lab_id in found.labs) if lab is not None],
    )


@blueprint.post("/lessons/<lesson_id>/read")
def mark_read(lesson_id: str) -> Any:
    """Record that the lesson was read."""
    found: Lesson = _find(Kind.LESSON, lesson_id)
    _service().mark_read(current_user.id, found)
    flash("Marked as read. A quiz or a lab will show how much of it stayed.", "success")
    return redirect(url_for("roadmap.lesson", lesson_id=found.id))


def _service() -> ProgressService:
    return ProgressService(db(), portal().content)


def _find(kind: Kind, wanted: str) -> Any:
    """The entry of that id, or the one that replaced it. Raises NotFound."""
    catalogue = portal().content.roadmap
    entries: dict[Kind, Any] = {
        Kind.TRACK: catalogue.tracks,
        Kind.MODULE: catalogue.modules,
        Kind.LESSON: catalogue.lessons,
    }
    thing = entries[kind].get(catalogue.current_id(kind, wanted) or "")
    if thing is None:
        raise NotFound(f"There is no {kind} “{wanted[:80]}”. The roadmap lists all there are.")
    return thing


def _track_of(module_id: str) -> Track | None:
    return next((t for t in portal().content.roadmap.tracks.values() if module_id in t.modules), None)


def _proofs(topic_id: str) -> list[dict[str, str]]:
    content = portal().content
    found = []
    for lab_id, task_id in content.proofs_by_topic.get(topic_id, ()):
        lab = content.labs.labs[lab_id]
        task = next(t for t in lab.tasks if t.id == task_id)
        found.append({"lab_id": lab.id, "lab_title": lab.title, "task_title": task.title})
    return found
