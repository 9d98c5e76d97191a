"""Webhooks: events sent to addresses that integrators name (Standard Webhooks 1.0).

addresses   which addresses may be sent to
sending     one connection, one message, one answer: the only module with sockets
messages    the body and the signature
endpoints   what people and clients do with an endpoint
fanout      which events an endpoint is told: one delivery for each
queue       deliveries of one company to one endpoint: taken, sent in order, settled
deliverer   the worker's round over all of this
"""
