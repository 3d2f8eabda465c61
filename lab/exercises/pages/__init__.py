"""Fetch 100 pages from a server that takes its time: where does the waiting go?"""
