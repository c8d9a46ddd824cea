// The AWS SDK for Go as a client: who STS says that it is, by the credentials that the SDK finds by itself.
//
//	client ENDPOINT
package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// An SDK that never gets an answer must not hold the test.
const attempts = 3

func ask(endpoint string) (map[string]string, error) {
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion("us-east-1"), config.WithRetryMaxAttempts(attempts))
	if err != nil {
		return nil, err
	}
	credentials, err := settings.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	client := sts.NewFromConfig(settings, sts.WithEndpointResolver(sts.EndpointResolverFromURL(endpoint)))
	who, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"key":    credentials.AccessKeyID,
		"source": credentials.Source,
		"arn":    aws.ToString(who.Arn),
	}, nil
}

func main() {
	said, err := ask(os.Args[1])
	if err != nil {
		said = map[string]string{"error": err.Error()}
	}
	if err := json.NewEncoder(os.Stdout).Encode(said); err != nil || said["error"] != "" {
		os.Exit(1)
	}
	// The container stays until it is stopped.
	for {
		time.Sleep(time.Hour)
	}
}
