module warm

go 1.25
