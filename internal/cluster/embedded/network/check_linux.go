package network

func explain(err error) error { return err }
