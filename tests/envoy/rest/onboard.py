"""Onboards an administrator over REST, with nothing but the standard library.

    python3 onboard.py BASE_URL TOKEN USER_NAME ROLE_TYPE [RIGHTS_DOC_ID]

Creates the user, gives it a role and, if one is named, a rights document: three calls, none of which knows that there is gRPC behind.
Prints the user as it was created.
"""

import json
import sys
import urllib.parse
import urllib.request


def post(base_url, token, path, query=(), body=None):
    """Calls, and raises where the status is no success."""
    url = base_url + path
    if query:
        url += "?" + urllib.parse.urlencode(query)
    headers = {"Authorization": "Bearer " + token}
    data = b""
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, data=data, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def main(base_url, token, user_name, role_type, rights_doc_id=None):
    person = {
        "userName": user_name,
        "firstName": "Ada",
        "lastName": "Byron",
        "enabled": True,
        "roles": ["USER"],
        "regionalSettings": {"timezoneName": "Europe/London"},
    }
    user = post(base_url, token, "/v1/admin/users", body=person)
    user_id = user["userId"]
    post(base_url, token, f"/v1/admin/users/{user_id}/roles/{role_type}")
    if rights_doc_id is not None:
        path = f"/v1/admin/rightsDocs/{rights_doc_id}/assignments"
        post(base_url, token, path, query=[("userIds", user_id)])
    print(json.dumps(user))


main(*sys.argv[1:])
