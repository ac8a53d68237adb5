"""Ways to choose training rows, each measured against a choice by lot."""
