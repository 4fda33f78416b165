### Words of the emails.
