"""What every new password has to pass."""

from leaky.common.v1.reason_pb2 import REASON_WEAK_PASSWORD
from mesh.errors import AppError, FieldViolation, invalid
from svc_auth.domain.password import PasswordRules, password_problem, weakness


def check_password(
    field: str, password: str, *, username: str, email: str, rules: PasswordRules
) -> None:
    """AppError INVALID_ARGUMENT or WEAK_PASSWORD, which name the field and not the password."""
    problem = password_problem(password)
    if problem is not None:
        raise invalid(field, problem)
    weak = weakness(password, username=username, email=email, rules=rules)
    if weak is not None:
        violation = FieldViolation(field=field, message=weak)
        raise AppError(REASON_WEAK_PASSWORD, f"{field} {weak}", violations=(violation,))
