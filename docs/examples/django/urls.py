from django.urls import path
from plans import views

urlpatterns = [
    path("health", views.health),
    path("plans/<int:pk>/rename", views.rename),
    path("plans/<int:pk>/fail", views.rename_and_fail),
    path("plans/<int:pk>/show", views.show),
    path("plans/<int:pk>/export", views.export),
]
