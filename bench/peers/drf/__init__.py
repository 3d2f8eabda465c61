"""Django REST framework with simplejwt: settings, models, one viewset."""
