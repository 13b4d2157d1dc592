"""Every address of the site: pages, the REST interface, logging in, the admin."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import views as auth
from django.http import HttpResponseRedirect
from django.urls import include, path, reverse
from sesame.views import LoginView as LinkView

from endpoints.protocols import urls as protocols
from raisin_site import errors


class LoginLink(LinkView):
    """A one-time link; one that no longer works leads to the login page, which says so."""

    http_method_names = ("get",)  # a HEAD, as previews of links send it, must not use the link up

    def login_failed(self) -> HttpResponseRedirect:
        return HttpResponseRedirect(f"{reverse('login')}?link=invalid")


urlpatterns = [
    path("", include("dashboard.urls", namespace="dashboard")),
    path("api/v1/", include("endpoints.api.urls", namespace="api")),
    *protocols.urlpatterns,
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("login/link/", LoginLink.as_view(), name="login_link"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("account/password/", auth.PasswordChangeView.as_view(), name="password_change"),
    path(
        "account/password/done/", auth.PasswordChangeDoneView.as_view(), name="password_change_done"
    ),
    path("admin/", admin.site.urls),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.not_found
handler500 = errors.server_error
