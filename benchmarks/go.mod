module go-service-template/benchmarks

go 1.27.0
