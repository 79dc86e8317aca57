"""Redis: who may enter, and whether it may forget what it is told."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from mesh.cli.doctor.finding import Finding, fail, ok, warn
from mesh.cli.doctor.parts import Part, away, refused
from mesh.storage.redis import open_redis

KIND = "Redis"
# What the tests run on; Lua with flags and redis.call's errors differ before.
OLDEST = 7
_ALMOST = 0.9


async def examine(part: Part) -> list[Finding]:
    """Connects as the service does, and asks."""
    try:
        async with open_redis(part.url) as client:
            info = await client.info()
            config = await _config(client)
    except (AuthenticationError, NoPermissionError) as error:
        return refused(part, KIND, error)
    except ResponseError as error:
        # NOAUTH comes so where no password was given at all.
        return refused(part, KIND, error)
    except (RedisError, OSError) as error:
        return away(part, KIND, error)
    except ValueError as error:
        advice = f"Write {part.variable} as redis://:PASSWORD@HOST:PORT/DB."
        return [fail(part.setting, str(error), advice)]
    return [_version(part, info), *_memory(part, info, config), *_kept(part, config)]


async def _config(client: Redis) -> dict[str, str] | None:
    try:
        found = await client.config_get("maxmemory-policy", "appendonly", "save")
    except RedisError:
        return None
    return {_text(key): _text(value) for key, value in found.items()}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _version(part: Part, info: dict[str, Any]) -> Finding:
    version = str(info["redis_version"])
    what = f"{KIND} {version} at {part.place}"
    if info["role"] != "master":
        advice = f"Point {part.variable} at the primary."
        return fail(part.setting, f"{what} is a replica, which takes no writes", advice)
    if int(version.partition(".")[0]) < OLDEST:
        return warn(part.setting, what, f"Use {KIND} {OLDEST} or newer: older ones are untried.")
    return ok(part.setting, what)


def _memory(part: Part, info: dict[str, Any], config: dict[str, str] | None) -> list[Finding]:
    limit, used = int(info["maxmemory"]), int(info["used_memory"])
    policy = config["maxmemory-policy"] if config else str(info["maxmemory_policy"])
    if policy != "noeviction":
        what = f"maxmemory-policy is {policy}: a full {KIND} forgets buckets, and limits with them"
        advice = "Set maxmemory-policy noeviction in its configuration."
        return [warn(part.setting, what, advice)]
    if limit and used > _ALMOST * limit:
        what = f"{used * 100 // limit} % of its maxmemory are used"
        return [warn(part.setting, what, "Raise maxmemory, or shorten token.bucket.entry-ttl.")]
    return []


def _kept(part: Part, config: dict[str, str] | None) -> list[Finding]:
    if config is None or config["appendonly"] == "yes":
        return []
    what = "keeps no append-only file: a restart forgets how full buckets are"
    if config["save"]:
        what = f"keeps snapshots alone (save {config['save']}): a restart forgets the newest writes"
    return [warn(part.setting, what, "Set appendonly yes in its configuration.")]
