### The second factor of staff, and proving once more who one is.

## The code after the password
code-title = One more step
code-text = Open the authenticator app on your phone and type the code it shows for Homestretch.
code-label = Code
code-hint = Six digits, or one of your recovery codes.
code-recovery-text = Type one of the recovery codes that you kept when you set up your second factor. It works once.
code-recovery = Recovery code
code-use-recovery = My phone is not here: use a recovery code
code-use-app = Use the app instead
code-lost = No phone and no recovery codes? The owner of your clinic can turn your second factor off on the team page.
code-wrong = That code is not right, or was used already. Wait for the next one and check the clock of your phone.
code-over = That took longer than ten minutes. Please sign in once more.
code-recovery-used = You used a recovery code; { $left ->
    [0] none is left
    [one] one is left
   *[other] { $left } are left
  }. You can make new ones under your account, Second factor.

## Once more, before a change that matters
confirm-title = Please show that it is you
confirm-text = What you are about to do matters, so we ask for your password once more. For ten minutes we won’t ask again.
confirm-code-hint = From the app on your phone, or a recovery code.
confirm-do = Go on
confirm-not-now = Not now, go back
confirm-done = Thank you, that is you. Now press the button or the link once more.
