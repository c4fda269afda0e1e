where: build ## print the service that knows unsafe links
	@SAFETY_URL=http://safety.example ADMIN_TOKEN=x bin/service where
