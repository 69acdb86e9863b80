urlpatterns: list = []


def navigation(request):
    return []
