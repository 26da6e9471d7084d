"""Pages of the roadmap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import render_template, url_for
from flask_login import current_user

from portal.extensions import db, portal
from portal.features.practice import QuizService, practisable, quizzable
from portal.features.roadmap.blueprint import blueprint, find, progress_service, track_of
from portal.features.roadmap.effort import within_hours
from portal.features.roadmap.graph import layout
from portal.features.roadmap.progress import ModuleProgress, Progress, hours_left
from portal.kept_pages import kept_page
from roadmap import Module, Stage, Track


@blueprint.get("/roadmap/")
@kept_page()
def tracks() -> str:
    """All tracks with progress."""
    progress = progress_service().of(current_user.id)
    catalogue = portal().content.roadmap
    rows = []
    for track in catalogue.tracks.values():
        modules = [catalogue.modules[module_id] for module_id in track.modules]
        rows.append(
            {
                "track": track,
                "progress": progress.of_modules(modules),
                "hours": sum(module.hours for module in modules),
                "modules": modules,
            }
        )
    return render_template("roadmap/tracks.html", rows=rows)


@blueprint.get("/roadmap/tracks/<track_id>")
@kept_page()
def track(track_id: str) -> str:
    """One track: the graph of its modules and how far the learner is in each."""
    catalogue = portal().content.roadmap
    found = find(Track, track_id)
    progress = progress_service().of(current_user.id)
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
        stages=[_stage(stage, progress, states) for stage in found.stages],
        progress=progress.of_modules(modules),
        hours=sum(module.hours for module in modules),
        hours_left=hours_left(modules, states),
        graph={"width": drawing.width, "height": drawing.height, "nodes": nodes, "edges": edges},
        titles={module.id: module.title for module in catalogue.modules.values()},
    )


def _stage(stage: Stage, progress: Progress, states: Mapping[str, ModuleProgress]) -> dict[str, Any]:
    """One stage with its modules, each under its state."""
    catalogue = portal().content.roadmap
    modules = [catalogue.modules[module_id] for module_id in stage.modules]
    titles = {other.id: other.title for track in catalogue.tracks.values() for other in track.stages}
    return {
        "stage": stage,
        "modules": [{"module": module, "progress": states[module.id]} for module in modules],
        "progress": progress.of_modules(modules),
        "hours": sum(module.hours for module in modules),
        "hours_left": hours_left(modules, states),
        "needs": [titles[needed] for needed in stage.needs],
    }


@blueprint.get("/roadmap/modules/<module_id>")
@kept_page()
def module(module_id: str) -> str:
    """One module: topics with their evidence, lessons, labs, quiz, artifact."""
    content = portal().content
    found = find(Module, module_id)
    progress = progress_service().of(current_user.id)
    questions = [q for q in content.bank.questions.values() if q.module == found.id]
    held = within_hours(found, content)
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
            {
                "activity": activity,
                "standing": progress.activities.get(activity.id),
                "beyond": activity.id not in held,
            }
            for activity in found.activities
        ],
        prerequisites=[content.roadmap.modules[module_id] for module_id in found.prerequisites],
        track=track_of(found.id),
        question_count=sum(practisable(q) for q in questions),
        quiz_count=sum(quizzable(q) for q in questions),
        quiz=QuizService(db(), content.bank).scores(current_user.id).get(found.id),
    )


def _proofs(topic_id: str) -> list[dict[str, str]]:
    content = portal().content
    found = []
    for lab_id, task_id in content.proofs_by_topic.get(topic_id, ()):
        lab = content.labs.labs[lab_id]
        task = next(t for t in lab.tasks if t.id == task_id)
        found.append({"lab_id": lab.id, "lab_title": lab.title, "task_title": task.title})
    return found
