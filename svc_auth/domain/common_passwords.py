"""Passwords that are tried first, in the form `comparable` gives them."""

COMMON_PASSWORDS = frozenset(
    """
    000000 0000000000 00000000 111111 11111111 1111111111 112233 11223344 12121212 121212
    123123 123123123 123321 1234 12345 123456 1234567 12345678 123456789 1234567890 12345678910
    123456a 123456aa 1234abcd 1234qwer 12341234 123abc 123qwe 123qweasd 147258369 159753
    1password 1q2w3e 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 222222 22222222 321321 333333 555555 654321
    666666 66666666 696969 7777777 77777777 87654321 88888888 888888 987654321 9876543210
    99999999 999999 a123456 a12345678 a1b2c3d4 aa123456 aaaaaa aaaaaaaa abc123 abc12345
    abcd1234 abcdefg abcdefgh access access14 admin admin123 admin1234 administrator
    america andrew asdf1234 asdfasdf asdfghjk asdfghjkl ashley baseball baseball1 basketball
    batman batman123 benjamin blink182 butterfly caroline changeit changeme changeme1
    charlie chelsea chocolate computer computer1 corvette danielle december default default1
    demo1234 dragon dragon123 einstein elephant facebook football football1 freedom
    garfield guest1234 hannah hello123 helloworld hunter hunter2 iloveyou iloveyou1 iloveyou2
    internet jennifer jessica jordan23 jordan michael jonathan killer kimberly letmein
    letmein1 letmein123 liverpool login123 lovely loveme maggie marlboro master master123
    matthew maverick mercedes metallica michelle midnight minecraft monkey monkey123 mustang
    mypassword naruto nicholas nicole november ninja pass1234 passw0rd password password!
    password0 password01 password1 password1! password11 password12 password123 password1234
    password2 password3 patricia pokemon princess princess1 p@ssw0rd p@ssword q1w2e3r4 q1w2e3r4t5
    qazwsx qazwsxedc qwe123 qwer1234 qwerty qwerty1 qwerty12 qwerty123 qwerty1234 qwertyui
    qwertyuiop rainbow rockyou root1234 samantha secret secret123 september shadow snoopy
    soccer starwars steelers sunshine sunshine1 superman superman1 super123 test1234 testtest
    test12345 thomas thunder trustno1 user1234 victoria welcome welcome1 welcome12 welcome123
    whatever william windows xbox360 yankees zaq12wsx zaq1zaq1 zxcvbnm zxcvbnm1 zxcvbnm123
    """.split()  # noqa: SIM905 a list of one-line strings would hide what it is
)
