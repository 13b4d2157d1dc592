"""What pages show, worked out from models and artefacts; presenters know no request and no template."""
