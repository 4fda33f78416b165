### Words of the patient's pages.
