### Words of the account and sign-in pages.
