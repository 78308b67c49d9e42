mod lake;
