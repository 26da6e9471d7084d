"""What gunicorn serves."""

from commandline.loading import loading

with loading():
    from portal.app import create_app
    from portal.settings import Settings

    app = create_app(Settings.from_environment())
